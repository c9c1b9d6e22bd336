// poolify(): a function that runs on a pool, from one that does not.

'use strict';

const { createHash } = require('crypto');
const path = require('path');

const { invalid, moduleOf, poolOptions } = require('./options.js');

// In a worker of a pool: how to get at that pool.
const own = globalThis.nwpool?.[Symbol.for('nwpool.own')];

const DIGEST_SIZE = 16; // Of its text, in what C knows a function by.
const LABEL_MAX = 60; // Of the 255 bytes that the name of a function has.

let sourcePool; // For functions that come by their source.
const modulePools = new Map(); // By path.

// -- which pool

function poolFor(options, module) {
    if (own !== undefined && Object.keys(options).every((key) => key === 'name') &&
        (module === emptyModule || module === path.resolve(own.module))) {
        return require('./own.js').ownPool();
    }
    const { Pool } = require('./pool.js');
    const { pool, name, ...others } = options;
    if (pool !== undefined) {
        if (Object.keys(others).length > 0) {
            throw invalid('poolify() with a pool takes no options of a pool: ' +
                Object.keys(others).join(', '));
        }
        return pool;
    }
    for (const key of Object.keys(others)) {
        if (poolOptions[key] === undefined || key === 'module') {
            throw invalid(`poolify() has no option "${key}"`);
        }
    }
    if (Object.keys(others).length > 0) {
        return new Pool({ ...others, module });
    }
    if (module === emptyModule) {
        return sourcePool = usable(sourcePool) ?? new Pool({ module });
    }
    const known = usable(modulePools.get(module)) ?? new Pool({ module });
    modulePools.set(module, known);
    return known;
}

// One that somebody has closed is replaced.
function usable(pool) {
    return pool?.isClosed === false ? pool : undefined;
}

// The pool of a function, made when it is called for the first time.
function poolGetter(options, module) {
    let pool;
    return () => pool = usable(pool) ?? poolFor(options, module);
}

const emptyModule = path.join(__dirname, 'empty.js');

// -- functions by their source

function compiles(source) {
    try {
        new Function(`return (${source}\n);`);
        return true;
    } catch {
        return false;
    }
}

// Source of an expression that is the function.
function sourceOf(action) {
    const source = Function.prototype.toString.call(action);
    const name = action.name || 'anonymous';
    if (/\{\s*\[native code\]\s*\}\s*$/.test(source)) {
        throw invalid(`the function "${name}" has no source: it is bound, or ` +
            'built in; wrap it in a function of yours, or export it from a ' +
            'module');
    }
    if (/^class\b/.test(source)) {
        throw invalid(`"${name}" is a class; a pool calls functions`);
    }
    if (compiles(source)) {
        return source;
    }
    // A method of an object: it has no keyword of its own.
    const method = `Object.values({${source}})[0]`;
    if (compiles(method)) {
        return method;
    }
    throw invalid(`the source of the function "${name}" cannot be compiled by ` +
        'itself (it uses super, or names of its class); export it from a ' +
        'module');
}

// The same for the same text, in all threads: they share what C has of it.
function sourceName(label, source) {
    const digest = createHash('sha256').update(source).digest('hex');
    return `${label.slice(0, LABEL_MAX)}#${digest.slice(0, DIGEST_SIZE)}`;
}

function isGenerator(action) {
    return /GeneratorFunction$/.test(action?.constructor?.name);
}

// -- the functions that are made

function make(getPool, name, label, streams, options) {
    const call = streams ?
        (...args) => getPool().streamApply(name, args, options) :
        (...args) => getPool().apply(name, args, options);
    Object.defineProperty(call, 'name', { value: label, configurable: true });
    Object.defineProperties(call, {
        pool: { get: getPool },
        // The same function with options for its tasks.
        with: { value: (more) =>
            make(getPool, name, label, streams, { ...options, ...more }) },
        stream: { value: (...args) =>
            getPool().streamApply(name, args, options) },
    });
    return call;
}

function fromSource(action, options) {
    const { native } = own ?? require('./native.js');
    const label = options.name ?? (action.name || 'anonymous');
    const source = sourceOf(action);
    const name = sourceName(label, source);
    native.addSource(name, source);
    return make(poolGetter(options, emptyModule), name, label,
        isGenerator(action));
}

function fromModule(module, name, getPool) {
    return make(getPool, name, name === 'default' ? path.parse(module).name : name,
        false);
}

// A function, or the place of a module and the name of an export.
function poolify(what, options = {}) {
    if (typeof what === 'function') {
        return fromSource(what, options);
    }
    if (typeof what === 'string' || what instanceof URL) {
        const module = moduleOf(what);
        return fromModule(module, options.name ?? 'default',
            poolGetter(options, module));
    }
    throw invalid('poolify() takes a function, or the path or file: URL of a ' +
        'module');
}

// All functions of a module, under their names.
function poolifyAll(module, options = {}) {
    const functions = new Map();
    const file = moduleOf(module);
    const getPool = poolGetter(options, file);
    return new Proxy(Object.create(null), {
        get(target, name) {
            // Not a promise, whoever awaits it.
            if (typeof name !== 'string' || name === 'then') {
                return undefined;
            }
            if (!functions.has(name)) {
                functions.set(name, fromModule(file, name, getPool));
            }
            return functions.get(name);
        },
        has: (target, name) => typeof name === 'string' && name !== 'then',
    });
}

module.exports = { poolify, poolifyAll };
