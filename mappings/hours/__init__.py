"""Working hours of a person, as Exchange keeps them, and as a calendar server says them."""
