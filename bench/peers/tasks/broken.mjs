// A module that no library can load.
throw new Error('the module throws at load');
