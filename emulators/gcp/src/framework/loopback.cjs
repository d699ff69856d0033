// Loaded before the functions-framework, which listens on every interface and has no option for another:
// a server that names a port and no host gets the loopback interface.
'use strict';
const { Server } = require('node:net');

const listen = Server.prototype.listen;
Server.prototype.listen = function (first, ...rest) {
  const isPort = typeof first === 'number' || (typeof first === 'string' && /^\d+$/.test(first));
  if (isPort && (rest.length === 0 || typeof rest[0] === 'function')) {
    return listen.call(this, { port: Number(first), host: '127.0.0.1' }, ...rest);
  }
  return listen.call(this, first, ...rest);
};
