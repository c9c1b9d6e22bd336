'use strict';

exports.form = () => 'commonjs';
