"""Real agents killed, filled up and corrupted: what they acknowledged must still be there."""
