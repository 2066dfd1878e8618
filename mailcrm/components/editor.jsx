// The rich text field of the composer: TipTap, uncontrolled. It keeps a hidden input up to date at every keystroke, so
// that Send posts what is on the screen, and reports to the server after a pause. Paragraphs take their own direction.
import { useEffect, useRef } from "react";
import { EditorContent, useEditor, useEditorState } from "@tiptap/react";
import StarterKit from "@tiptap/starter-kit";

const PAUSE_MS = 800;

const PATHS = {
  bold: "M6 12h8a4 4 0 0 0 0-8H6v16h9a4 4 0 0 0 0-8",
  italic: "M19 4h-9M14 20H5M15 4 9 20",
  underline: "M6 4v6a6 6 0 0 0 12 0V4M4 20h16",
  bulletList: "M9 6h12M9 12h12M9 18h12M4 6h.01M4 12h.01M4 18h.01",
  orderedList: "M10 6h11M10 12h11M10 18h11M4 4h1v5M4 9h2M6 18H4c0-1 2-2 2-3s-1-1.500-2-1",
  blockquote: "M17 6H3M21 12H8M21 18H8M3 12v6",
  link: "M10 13a5 5 0 0 0 7.500.500l3-3a5 5 0 0 0-7-7l-1.700 1.700M14 11a5 5 0 0 0-7.500-.500l-3 3a5 5 0 0 0 7 7l1.700-1.700",
  clear: "M4 7V4h16v3M5 20h6M13 4 8 20M15 15l5 5M20 15l-5 5",
};

function Tool({ name, label, active, onUse }) {
  return (
    <button
      type="button"
      className="icon-btn"
      aria-label={label}
      title={label}
      aria-pressed={active}
      onMouseDown={(event) => event.preventDefault()}
      onClick={onUse}
    >
      <svg width="16" height="16" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.75" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
        <path d={PATHS[name]} />
      </svg>
    </button>
  );
}

export function MailEditor({ initialHtml, labels, onSave, autofocus }) {
  const hidden = useRef(null);
  const timer = useRef(0);
  const save = useRef(onSave);
  save.current = onSave;
  const editor = useEditor({
    extensions: [StarterKit.configure({ heading: false, codeBlock: false, link: { openOnClick: false, protocols: ["http", "https", "mailto"] } })],
    content: initialHtml || "",
    textDirection: "auto",
    autofocus: autofocus ? "start" : false,
    immediatelyRender: false,
    editorProps: {
      attributes: { class: "mc-editor", role: "textbox", "aria-multiline": "true", "aria-label": labels.body, "data-testid": "compose-body", dir: "auto" },
    },
    onCreate: ({ editor }) => { if (hidden.current) hidden.current.value = editor.getHTML(); },
    onUpdate: ({ editor }) => {
      const html = editor.getHTML();
      if (hidden.current) hidden.current.value = html;
      clearTimeout(timer.current);
      timer.current = setTimeout(() => { timer.current = 0; save.current?.(html); }, PAUSE_MS);
    },
  });
  // Leaving the page must not lose what was typed since the last pause.
  useEffect(() => () => {
    if (!timer.current) return;
    clearTimeout(timer.current);
    save.current?.(hidden.current?.value ?? "");
  }, []);
  const is = useEditorState({
    editor,
    selector: ({ editor }) =>
      editor ? Object.fromEntries(["bold", "italic", "underline", "bulletList", "orderedList", "blockquote", "link"].map((name) => [name, editor.isActive(name)])) : {},
  }) || {};
  const run = (act) => () => editor && act(editor.chain().focus()).run();
  const link = () => {
    if (!editor) return;
    if (editor.isActive("link")) { editor.chain().focus().unsetLink().run(); return; }
    const href = window.prompt(labels.address, "https://");
    if (!href) return;
    if (editor.state.selection.empty) {
      editor.chain().focus().insertContent({ type: "text", text: href, marks: [{ type: "link", attrs: { href } }] }).run();
    } else {
      editor.chain().focus().setLink({ href }).run();
    }
  };
  return (
    <>
      <div className="composer-main" onClick={(event) => event.target === event.currentTarget && editor?.commands.focus("end")}>
        <EditorContent editor={editor} />
      </div>
      {/* not a hidden input: React would put its first value back whenever this renders again */}
      <textarea name="html" ref={hidden} defaultValue={initialHtml || ""} readOnly hidden aria-hidden="true" tabIndex={-1} />
      <div className="composer-tools" role="toolbar" aria-label={labels.tools}>
        <Tool name="bold" label={labels.bold} active={!!is.bold} onUse={run((chain) => chain.toggleBold())} />
        <Tool name="italic" label={labels.italic} active={!!is.italic} onUse={run((chain) => chain.toggleItalic())} />
        <Tool name="underline" label={labels.underline} active={!!is.underline} onUse={run((chain) => chain.toggleUnderline())} />
        <Tool name="bulletList" label={labels.bullets} active={!!is.bulletList} onUse={run((chain) => chain.toggleBulletList())} />
        <Tool name="orderedList" label={labels.numbers} active={!!is.orderedList} onUse={run((chain) => chain.toggleOrderedList())} />
        <Tool name="blockquote" label={labels.quote} active={!!is.blockquote} onUse={run((chain) => chain.toggleBlockquote())} />
        <Tool name="link" label={labels.link} active={!!is.link} onUse={link} />
        <Tool name="clear" label={labels.clear} active={false} onUse={run((chain) => chain.unsetAllMarks().clearNodes())} />
      </div>
    </>
  );
}
