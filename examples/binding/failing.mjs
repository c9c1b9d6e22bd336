// What errors.mjs runs.

export function parse(text) {
    const cause = new SyntaxError('an unexpected comma');
    const error = new RangeError(`cannot parse "${text}"`, { cause });
    throw Object.assign(error, { code: 'E_PARSE', line: 7 });
}

export function exit() {
    process.exit(3);
}
