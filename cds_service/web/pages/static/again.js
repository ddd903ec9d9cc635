// Looks again after a moment, until the page that it loads is another one.
setTimeout(() => location.replace(location.pathname), 2000);
