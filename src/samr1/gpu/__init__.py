"""What a card does with this code, measured in eight minutes."""
