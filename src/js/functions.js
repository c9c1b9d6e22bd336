// `nwpool.functions`, in every environment that asks for it. Its value is a
// function that binding_functions.c calls once, with
//   native.make(name)  a function, or undefined when C has none of that name;
//   native.has(name), native.names().
// It returns the object and the two ends of promises: wait(number) makes one,
// settle(number, rejected, value) settles it. C holds a number and no handle,
// so an environment that ends with promises open leaves nothing behind.

return (native) => {
    const NAMES_MAX = 4096;
    const made = new Map();
    const waiting = new Map();

    // What JavaScript itself looks for in any object.
    const asked = new Set(['then', 'toJSON']);

    // Functions that are made stay: they find out by themselves when theirs
    // was taken away, or replaced.
    function make(name) {
        const found = typeof name === 'string' ? native.make(name) : undefined;
        if (found !== undefined) {
            if (made.size >= NAMES_MAX) {
                made.clear();
            }
            made.set(name, found);
        } else if (typeof name === 'string' && !asked.has(name)) {
            throw new TypeError(`there is no C function "${name}"; register ` +
                'it with nw_function_register()');
        }
        return found;
    }

    const get = (target, name) => made.get(name) ?? make(name);
    const has = (target, name) =>
        typeof name === 'string' && native.has(name);
    const refuse = () => false;

    const functions = new Proxy(Object.create(null), {
        get,
        has,
        ownKeys: () => native.names(),
        getOwnPropertyDescriptor(target, name) {
            return has(target, name) ? {
                value: get(target, name), enumerable: true, configurable: true,
            } : undefined;
        },
        set: refuse,
        defineProperty: refuse,
        deleteProperty: refuse,
        setPrototypeOf: refuse,
        preventExtensions: refuse,
    });

    function wait(number) {
        return new Promise((resolve, reject) => {
            waiting.set(number, { resolve, reject });
        });
    }

    function settle(number, rejected, value) {
        const { resolve, reject } = waiting.get(number);
        waiting.delete(number);
        if (rejected) {
            reject(value);
        } else {
            resolve(value);
        }
    }

    return [functions, wait, settle];
};
