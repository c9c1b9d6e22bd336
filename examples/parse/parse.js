'use strict';

// Parses one JavaScript file with acorn and measures it.
//
// A task is a call of parse(path): it returns a plain object, or throws what
// acorn threw, which makes the task fail with acorn's message and position.

const fs = require('fs');
const path = require('path');

const acorn = require('acorn');

const FUNCTIONS = new Set([
    'FunctionDeclaration',
    'FunctionExpression', // Methods, getters and setters have one too.
    'ArrowFunctionExpression',
]);

// Directory -> is a .js file in it an ES module? As Node.js decides it: by the
// "type" in the nearest package.json.
const modulesByDirectory = new Map();

function isModuleDirectory(directory) {
    const known = modulesByDirectory.get(directory);
    if (known !== undefined) return known;

    let answer;
    try {
        const file = path.join(directory, 'package.json');
        answer = JSON.parse(fs.readFileSync(file, 'utf8')).type === 'module';
    } catch {
        // None here, or none that can be read: the directory above decides.
        const parent = path.dirname(directory);
        answer = parent !== directory && isModuleDirectory(parent);
    }
    modulesByDirectory.set(directory, answer);
    return answer;
}

// The file's syntax tree and number of tokens.
function parseAs(source, sourceType) {
    let tokens = 0;
    const tree = acorn.parse(source, {
        ecmaVersion: 'latest',
        sourceType,
        allowHashBang: true,
        // A CommonJS file is the body of a function.
        allowReturnOutsideFunction: sourceType === 'script',
        onToken: () => tokens++,
    });
    // acorn reports the end of the file as a token too.
    return { tree, tokens: tokens - 1 };
}

// Many packages ship ES modules that nothing says are some, for bundlers. So
// what is no script is tried as a module. If it is neither, the error that
// helps is the one of the kind the file was meant to be.
function parseAny(source, isModule) {
    const [first, second] = isModule
        ? ['module', 'script']
        : ['script', 'module'];
    try {
        return parseAs(source, first);
    } catch (error) {
        try {
            return parseAs(source, second);
        } catch (other) {
            const isMisjudged = /'import' and 'export' may appear only/;
            throw isMisjudged.test(error.message) ? other : error;
        }
    }
}

function isNode(value) {
    return value !== null && typeof value === 'object' &&
        typeof value.type === 'string';
}

// Counts functions, and nodes on the longest way from the root to a leaf. An
// explicit stack, not recursion: generated code nests thousands deep.
function measure(tree) {
    const stack = [{ node: tree, depth: 1 }];
    let functions = 0;
    let deepest = 0;

    while (stack.length > 0) {
        const { node, depth } = stack.pop();
        if (FUNCTIONS.has(node.type)) functions++;
        if (depth > deepest) deepest = depth;
        for (const key of Object.keys(node)) {
            const value = node[key];
            for (const child of Array.isArray(value) ? value : [value]) {
                if (isNode(child)) stack.push({ node: child, depth: depth + 1 });
            }
        }
    }
    return { functions, depth: deepest };
}

/**
 * @param {string} file  an absolute path
 * @returns {{path: string, bytes: number, tokens: number, functions: number,
 *     depth: number}}  depth: nesting of the syntax tree at its deepest
 */
function parse(file) {
    const bytes = fs.readFileSync(file);
    const isModule = isModuleDirectory(path.dirname(file));
    // Node.js takes a byte order mark off before it parses.
    const source = bytes.toString('utf8').replace(/^\uFEFF/, '');
    const { tree, tokens } = parseAny(source, isModule);
    return { path: file, bytes: bytes.length, tokens, ...measure(tree) };
}

module.exports = { parse };
