export const form = () => 'module';
export const names = () => [typeof require, typeof module, typeof exports,
    typeof __filename, typeof __dirname];
export const here = () => import.meta.url.split('/').pop();
export const number = 5;
export default (n) => n * 2;
