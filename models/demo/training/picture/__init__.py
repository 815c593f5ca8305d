"""The picture language: scenes, their captions, and how they are drawn."""
