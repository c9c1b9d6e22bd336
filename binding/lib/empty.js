// The module of pools whose functions come by their source.

'use strict';
