"""eXo's agenda, as a target."""
