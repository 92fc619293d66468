"""The parts of make-seedling-data.py: words, stories, skills, the tokenizer trainer and the instruction data."""
