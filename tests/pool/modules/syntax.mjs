export const f = () => {;
