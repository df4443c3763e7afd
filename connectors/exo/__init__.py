"""Write to eXo's agenda as a target."""
