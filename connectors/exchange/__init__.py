"""What EWS and Graph share."""
