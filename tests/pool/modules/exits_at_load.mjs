await new Promise((resolve) => setTimeout(resolve, 1));
process.exit(22);
