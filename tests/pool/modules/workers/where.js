const { parentPort, workerData, isMainThread } = require('worker_threads');

parentPort.postMessage({
    file: __filename.split('/').pop(),
    main: isMainThread,
    require: typeof require('acorn').parse,
    data: workerData == null,
});
