// An exception outside of the loading while it goes on.
setTimeout(() => {
    throw new Error('beside');
}, 1);
await new Promise(() => {});
