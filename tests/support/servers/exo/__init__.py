"""A practice server of eXo's agenda."""
