// The demo's module, watched.

'use strict';

module.exports = {
    ...require('./hooks.js'),
    ...require('../../../examples/parse/parse.js'),
};
