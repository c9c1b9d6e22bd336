export const form = () => 'unicode module';
