'use strict';

exports.form = () => 'unicode';
