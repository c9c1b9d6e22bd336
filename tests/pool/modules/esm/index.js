import { readFile } from 'fs/promises';

await null;
export const form = () => 'module';
export const size = async (file) => (await readFile(file)).length;
