// A new object for each task, down to its last array: several tasks in one
// message would else share what they have in common.
export function makeRecord(id) {
    return {
        id,
        name: 'a record of about three hundred bytes',
        tags: ['alpha', 'beta', 'gamma', 'delta'],
        size: { width: 1280, height: 720, depth: 24 },
        owner: { id: 77, name: 'somebody',
            groups: ['staff', 'build', 'release'] },
        score: 0.8125,
        active: true,
        note: 'what such an object costs is its strings, names and nesting',
    };
}
