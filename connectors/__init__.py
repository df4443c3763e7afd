"""Sources and targets. A folder for each protocol; what several need is here."""
