"""What can be set, and where from: the fields, the configuration file and the environment."""
