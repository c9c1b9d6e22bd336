process.exit(21);
