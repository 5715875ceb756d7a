"""What the world says of a shape, a colour or a part, for questions that take a step of thought."""

from __future__ import annotations

# Of a shape, a colour or a part: (query ending, the step of thought).
SHAPE_RIDDLES: dict[str, list[tuple[str, str]]] = {
    "circle": [
        ("would roll off a table", "round things roll"),
        ("is shaped like a full moon", "the full moon is round"),
        ("could serve as a wheel", "wheels are round"),
    ],
    "square": [
        ("looks like a window pane", "window panes are square"),
        ("could be stacked like a box", "boxes are square"),
        ("has four corners", "a square has four corners"),
    ],
    "triangle": [
        ("looks like the roof of a house", "roofs are triangles"),
        ("has the shape of a slice of pizza", "pizza slices are triangles"),
        ("has three corners", "a triangle has three corners"),
    ],
    "star": [
        ("twinkles in the night sky", "stars twinkle"),
        ("tops a christmas tree", "a star tops the tree"),
        ("has five points", "a star has five points"),
    ],
    "cross": [
        ("looks like a plus sign", "a plus sign is a cross"),
        ("marks the sign of a pharmacy", "pharmacies show a cross"),
        ("stands for adding numbers", "adding is written as a cross"),
    ],
}
COLOR_RIDDLES: dict[str, list[tuple[str, str]]] = {
    "red": [
        ("has the colour of a ripe tomato", "tomatoes are red"),
        ("is painted like a fire engine", "fire engines are red"),
    ],
    "green": [
        ("has the colour of grass", "grass is green"),
        ("looks like a leaf in spring", "leaves are green"),
    ],
    "blue": [
        ("has the colour of a clear sky", "the sky is blue"),
        ("is coloured like the deep sea", "the sea is blue"),
    ],
    "yellow": [
        ("has the colour of a lemon", "lemons are yellow"),
        ("is as bright as a banana", "bananas are yellow"),
    ],
    "purple": [
        ("has the colour of a plum", "plums are purple"),
        ("looks like lavender", "lavender is purple"),
    ],
    "white": [
        ("has the colour of snow", "snow is white"),
        ("is as pale as milk", "milk is white"),
    ],
}
# A part is also asked for plainly, as "the wheel of the cart".
PART_RIDDLES: dict[str, list[tuple[str, str]]] = {
    "roof": [
        ("keeps the rain off the house", "roofs keep the rain off"),
        ("covers the house", "a house is covered by its roof"),
    ],
    "door": [
        ("lets people into the house", "people go in by the door"),
        ("can be opened and shut", "doors open and shut"),
    ],
    "wall": [
        ("carries the roof", "walls carry the roof"),
        ("stands around the rooms of the house", "rooms have walls"),
    ],
    "wheel": [
        ("turns when the cart moves", "wheels turn"),
        ("touches the road under the cart", "carts stand on wheels"),
    ],
    "body": [
        ("carries the load of the cart", "loads lie in the body"),
        ("rests on the wheel", "the body rests on the wheel"),
    ],
}
