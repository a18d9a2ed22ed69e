"""The commands, a function each; the one place that catches `CnnrunError`. Begin with app.py."""
