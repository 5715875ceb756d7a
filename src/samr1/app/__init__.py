"""The trained model on any picture: `samr1 segment`, `samr1 demo`, Python."""
