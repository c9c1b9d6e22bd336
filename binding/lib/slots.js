// The tasks of this environment that are not over, by the number that C has of
// them, and what C calls with their outcomes.

'use strict';

const { checkName } = require('./options.js');

const tasks = [];
const free = [];

function addTask(task) {
    const slot = free.pop() ?? tasks.length;
    tasks[slot] = task;
    return slot;
}

function takeTask(slot) {
    const task = tasks[slot];
    tasks[slot] = undefined;
    free.push(slot);
    return task;
}

// One of the outcomes of a task, most often the only one.
function reach(slot) {
    const task = tasks[slot];
    if (--task.expected === 0) {
        takeTask(slot);
    }
    return task;
}

function settle(...list) {
    for (let i = 0; i < list.length; i += 2) {
        reach(list[i]).succeed(list[i + 1]);
    }
}

const fail = (slot, ...failure) => reach(slot).fail(...failure);

// The number of a function's name, by `native.define()`.
function numbering(native) {
    const numbers = new Map();
    return (name) => {
        let number = numbers.get(name);
        if (number === undefined) {
            number = native.define(checkName(name));
            numbers.set(name, number);
        }
        return number;
    };
}

module.exports = { tasks, addTask, takeTask, settle, fail, numbering };
