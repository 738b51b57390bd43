"""What a class's marks become: gradebooks, a page for each learner, an overview."""
