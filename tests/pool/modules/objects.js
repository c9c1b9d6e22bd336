// Objects of Node.js that go from one worker to another: how each is made, and
// what is done with it where it arrives. For tasks and for scripts of workers.

'use strict';

const { BlockList } = require('net');
const { Blob } = require('buffer');
const { X509Certificate, createSecretKey } = require('crypto');
const { createHistogram } = require('perf_hooks');
const { open } = require('fs/promises');

const CERTIFICATE = `-----BEGIN CERTIFICATE-----
MIIBgzCCASmgAwIBAgIUdkg1TOrw0i1j4zGUewqlsVJm5MwwCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLbndwb29sIHRlc3QwIBcNMjYxMTI0MTA0MDA4WhgPMjEyNjEw
MzExMDQwMDhaMBYxFDASBgNVBAMMC253cG9vbCB0ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEL3Yy9oInJnR6l4BLjd09zy4SwtFtx/PCEQ4uoNM4SLEsckuC
d4bEzOgBA1ORu/XSJCXsLa6s7zrWz/7dUAmazaNTMFEwHQYDVR0OBBYEFGnlJU0p
ZyX0p0Uwfn+d1LsLF+sKMB8GA1UdIwQYMBaAFGnlJU0pZyX0p0Uwfn+d1LsLF+sK
MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIgUdm9BLgkIgCD5EWU
ofI3Opt94exu7T6c3Wm7RA7uQ14CIQDYTPO+Tz3D39OLlYmuIAGYQZGChosl0rLU
32s83nXd0g==
-----END CERTIFICATE-----`;

const kinds = {
    KeyObject: {
        make: () => createSecretKey(Buffer.from('a secret')),
        use: (key) => key.export().toString(),
    },
    Blob: {
        make: () => new Blob(['in', ' pieces']),
        use: (blob) => blob.text(),
    },
    X509Certificate: {
        make: () => new X509Certificate(CERTIFICATE),
        use: (certificate) => certificate.subject,
    },
    BlockList: {
        make: () => {
            const list = new BlockList();
            list.addAddress('10.1.2.3');
            return list;
        },
        use: (list) => ['10.1.2.3', '10.1.2.4'].map((a) => list.check(a)) + '',
    },
    Histogram: {
        make: () => {
            const histogram = createHistogram();
            histogram.record(5);
            histogram.record(7);
            return histogram;
        },
        use: ({ count, min, max }) => `${count} of ${min} to ${max}`,
    },
    FileHandle: {
        moves: true,
        make: () => open(__filename),
        use: async (file) => {
            const text = String(await file.readFile());
            await file.close();
            return text.slice(0, 21);
        },
    },
};

const listOf = (kind, object) => (kinds[kind].moves ? [object] : []);

// -- for tasks

exports.make = async (kind) => {
    const object = await kinds[kind].make();
    return nwpool.transfer({ kind, object }, listOf(kind, object));
};

exports.use = ({ kind, object }) => kinds[kind].use(object);

exports.pass = (message) => nwpool.transfer(message,
    listOf(message.kind, message.object));

// -- for workers; `port` is where it talks

// Makes and sends what each message names; a pair is sent twice in one message.
exports.makeFor = (port) => port.on('message', async (name) => {
    const [kind, pair] = name.split(' ');
    const object = await kinds[kind].make();
    port.postMessage({ kind, object, again: pair ? object : undefined },
        listOf(kind, object));
});

// Uses what comes and tells what came of it.
exports.useFor = (port, out = port) => port.on('message', async (message) => {
    const { object, again } = message;
    out.postMessage(again === undefined ? await exports.use(message) :
        again === object);
});
