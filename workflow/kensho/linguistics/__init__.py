"""Analysis of Japanese that several stages share."""
