// The same for import. What can change is a function here.

import nwpool from './index.js';

export const { Pool, PoolError, poolify, poolifyAll, transfer } = nwpool;
export default nwpool;
