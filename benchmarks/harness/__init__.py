"""What all tables share: how contestants are run beside each other, what was found, and the page that shows it."""
