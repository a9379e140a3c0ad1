"""Kitty Vogue: a fashion shop for cats, and an assistant that answers questions from its database.

The shop and its questions follow the example of Chip Huyen, *AI Engineering*, chapter 6.
"""
