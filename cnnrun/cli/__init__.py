"""Commands, one function each, thin; the only place where `CnnrunError` is caught. Begin with app.py."""
