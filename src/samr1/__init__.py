"""SAM-R1: reinforcement learning of reasoning segmentation with SAM as the reward."""
