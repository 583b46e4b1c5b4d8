"""Between slots: what the book is worth, how near its lines it stands, and what it earned."""
