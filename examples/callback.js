// Asks C for each word of a text: once directly, once by a promise.

const { lookUp, lookUpSlowly } = nwpool.functions;

exports.translate = async (text) => {
    const words = text.split(' ');
    const now = words.map((word) => lookUp(word));
    const later = await Promise.all(words.map((word) => lookUpSlowly(word)));
    return `${now.join(' ')}, ${later.join(' ')}`;
};
