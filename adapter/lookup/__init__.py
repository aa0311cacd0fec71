"""What is known of somebody and why, for whoever asks: a command, or the console. Only reads."""
