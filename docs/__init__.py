"""What users read, and the scripts that generate what is read out of the code."""
