"""What can be measured on a picture, and the score made of it."""
