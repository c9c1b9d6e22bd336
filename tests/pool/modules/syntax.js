'use strict';

exports.f = () => {
    let let = 1;
};
