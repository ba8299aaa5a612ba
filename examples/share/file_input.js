// The three ways to choose files: a button with the browser's dialog, drag and drop, and paste.

/**
 * @param {{picker: HTMLInputElement, button: HTMLButtonElement, target: HTMLElement}} elements  `target` gets the class
 *     `dropping` while files are dragged over the page
 * @param {(files: File[]) => void} onFiles
 * @param {(why: string) => void} onRefused  something that is not a file was dropped
 */
export function takeFiles({picker, button, target}, onFiles, onRefused) {
  button.addEventListener('click', () => picker.click());
  picker.addEventListener('change', () => {
    onFiles([...picker.files]);
    picker.value = ''; // so that the same file can be chosen again
  });

  document.addEventListener('paste', (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length === 0) return;
    event.preventDefault();
    onFiles(files);
  });

  const hasFiles = ({dataTransfer}) => dataTransfer?.types.includes('Files');
  const setDropping = (isDropping) => target.classList.toggle('dropping', isDropping);
  document.addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = 'copy';
    setDropping(true);
  });
  document.addEventListener('dragleave', ({relatedTarget}) => {
    if (relatedTarget === null) setDropping(false);
  });
  // Accept drops anywhere on the page: otherwise the browser would leave the page and open the file.
  document.addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    setDropping(false);
    const files = [...event.dataTransfer.items].filter(({kind}) => kind === 'file');
    const isFolder = (item) => item.webkitGetAsEntry?.()?.isDirectory === true;
    if (files.some(isFolder)) onRefused('A folder cannot be shared; drop the files that are in it.');
    onFiles(files.filter((item) => !isFolder(item)).map((item) => item.getAsFile()));
  });
}
