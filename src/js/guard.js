// For src/engine/guard.cc. Its value is a function that makes reset(), which
// empties Node's async id stack after a script was terminated between the pushes
// and pops of it. What does that is Node's own handling of an uncaught exception
// that somebody caught, so one is made: fail() throws it past everybody.
//
// All of it is taken from `process` before the user's code can change it.

return (fail) => {
    const {
        setUncaughtExceptionCaptureCallback: setCapture,
        hasUncaughtExceptionCaptureCallback: hasCapture,
    } = process;
    const { defineProperty, getOwnPropertyDescriptor } = Object;
    const { deleteProperty } = Reflect;
    const ignore = () => {};

    // No error happened: nobody who monitors them shall hear of one.
    function quietly(action) {
        const emit = getOwnPropertyDescriptor(process, 'emit');
        defineProperty(process, 'emit', {
            __proto__: null, value: ignore, configurable: true,
        });
        try {
            action();
        } finally {
            if (emit === undefined) {
                deleteProperty(process, 'emit');
            } else {
                defineProperty(process, 'emit', emit);
            }
        }
    }

    // False: the user has taken the only way.
    return () => {
        if (hasCapture()) {
            return false;
        }
        setCapture(ignore);
        try {
            quietly(fail);
        } finally {
            setCapture(null);
        }
        return true;
    };
};
