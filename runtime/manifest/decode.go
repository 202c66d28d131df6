package manifest

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"
)

// Parse decodes, defaults and validates every document of a manifest file, for whatever board it is. It is pure: path
// only goes into the results and the UIDs. Since is left zero.
func Parse(path string, data []byte) ([]Object, []Problem) { return parse(path, data, &Options{}) }

func parse(path string, data []byte, o *Options) ([]Object, []Problem) {
	p := parser{file: path, fits: o.Fits, refuseUnknown: o.RefuseUnknown != nil && o.RefuseUnknown()}
	for _, c := range split(data) {
		p.chunk(c)
	}
	if p.docs == 0 {
		p.problems = append(p.problems, Problem{
			File: path, Reason: ReasonInvalid,
			Message: path + ": the file holds no manifest; write a Pod into it or remove it",
		})
	}
	return p.objects, p.problems
}

// parser collects the results of one file.
type parser struct {
	file string
	fits func(expression string) bool // see Options
	// refuseUnknown: kinds that podd does not act on are refused.
	refuseUnknown bool

	docs     int
	objects  []Object
	problems []Problem
}

// document is one object of a file on its way to an Object.
type document struct {
	chunk  chunk
	data   []byte // as JSON
	prefix string // path of the object in its chunk: "" or "items[2]."
	header header
	lines  *lines // made when the first problem needs it
}

// header is what must be known of an object before its type is.
type header struct {
	metav1.TypeMeta `json:",inline"`
	Metadata        struct {
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
	} `json:"metadata"`

	near string // key that was meant as one of these
}

func (p *parser) chunk(c chunk) {
	doc := document{chunk: c, data: c.data}
	if !c.json {
		var err error
		if doc.data, err = yamlToJSON(c.data); err != nil {
			p.refuse(&doc, ReasonInvalid, []fault{syntaxFault(err, c, p.file)})
			p.docs++
			return
		}
	}
	p.object(&doc)
}

// object takes one object, or the items of a List one by one.
func (p *parser) object(doc *document) {
	// An error is found again, and explained, when the whole object is decoded.
	_ = kjson.UnmarshalCaseSensitivePreserveInts(doc.data, &doc.header)
	if doc.header.Kind == "List" && doc.header.APIVersion == "v1" {
		p.list(doc)
		return
	}
	defer func() { p.docs++ }()
	doc.header.near = nearKey(doc.data, &doc.header)
	if text := kindFault(&doc.header); text != "" {
		p.refuse(doc, ReasonKind, []fault{{text: text, path: cmp.Or(doc.header.near, "kind")}})
		return
	}
	rules := rulesOf(doc.header.Kind)
	switch {
	case rules != nil && rules.apiVersion == doc.header.APIVersion:
		p.other(doc, rules)
	case !isStored(&doc.header):
		p.pod(doc)
	case p.refuseUnknown:
		p.refuse(doc, ReasonKind, []fault{{text: notRun(&doc.header), path: "kind"}})
	default:
		p.store(doc)
	}
}

// pod takes a Pod.
func (p *parser) pod(doc *document) {
	pod := &corev1.Pod{}
	if faults := decodeStrict(doc.data, pod); len(faults) > 0 {
		p.refuse(doc, ReasonInvalid, faults)
		return
	}
	setDefaults(pod)
	faults := errorFaults(blameWritten(validatePod(pod), doc.data))
	reason := ReasonInvalid
	if len(faults) == 0 {
		reason = ReasonUnsupported
	}
	if faults = append(faults, errorFaults(blameWritten(refusedFields(pod), doc.data))...); len(faults) > 0 {
		p.refuse(doc, reason, faults)
		return
	}
	strip(pod)
	hash := hashOf(pod)
	pod.UID = uidOf(p.file, pod, hash)
	p.accept(objectOfPod(Pod{Object: pod, File: p.file, Doc: p.docs, Hash: hash}))
}

// accept takes an object that is for this board and whose name is free.
func (p *parser) accept(o Object) {
	expression := o.Value.GetAnnotations()[AnnotationNode]
	if expression != "" && p.fits != nil && !p.fits(expression) {
		return
	}
	first := objectOf(p.objects, o.key())
	if first == nil || p.fits == nil && first.Value.GetAnnotations()[AnnotationNode] != expression {
		p.objects = append(p.objects, o)
		return
	}
	p.problems = append(p.problems, duplicate(&o, first))
}

// strip removes what a cluster reports of an object rather than what is wanted, as its API server does at a create:
// manifests are often written by kubectl get.
func strip(pod *corev1.Pod) {
	meta := metav1.ObjectMeta{Name: pod.Name, Namespace: pod.Namespace, Labels: pod.Labels, Annotations: pod.Annotations}
	pod.ObjectMeta, pod.Status = meta, corev1.PodStatus{}
}

// list takes the items of a v1 List, which may hold Lists again, as kubectl does.
func (p *parser) list(doc *document) {
	var list corev1.List
	if faults := decodeStrict(doc.data, &list); len(faults) > 0 {
		p.refuse(doc, ReasonInvalid, faults)
		p.docs++
		return
	}
	for i, item := range list.Items {
		p.object(&document{chunk: doc.chunk, data: item.Raw, prefix: fmt.Sprintf("%sitems[%d].", doc.prefix, i)})
	}
	if len(list.Items) == 0 {
		p.docs++ // an empty list is a document, and fine
	}
}

// fault is one thing wrong with a document.
type fault struct {
	text string // says all but the file and the line
	path string // of the field, "" for the whole document
	nth  int    // which of a doubled field, 0 for the first
	at   int    // line in the file, 0 to be found from the path
	line bool   // the text shall carry the line
}

// maxFaults and maxText bound a sentence; faults that are left out are counted.
const (
	maxFaults = 16
	maxText   = 800 // bytes of one fault, which may quote the value
)

func shortened(text string) string {
	if len(text) <= maxText {
		return text
	}
	const keep = maxText/2 - 10
	return strings.ToValidUTF8(text[:keep], "") + " ... " + strings.ToValidUTF8(text[len(text)-keep:], "")
}

// refuse makes the one Problem of a document out of its faults.
func (p *parser) refuse(doc *document, reason string, faults []fault) {
	problem := Problem{
		File: p.file, Doc: p.docs, Reason: reason,
		Namespace: doc.header.Metadata.Namespace, Name: doc.header.Metadata.Name,
		other: reason == ReasonKind && isOther(doc.header.Kind),
	}
	rules := rulesOf(doc.header.Kind)
	if rules != nil || doc.header.Kind == kindPod {
		problem.Kind = doc.header.Kind
	}
	switch {
	case rules != nil && !rules.namespaced:
		problem.Namespace = ""
	case problem.Namespace == "" && problem.Name != "":
		problem.Namespace = metav1.NamespaceDefault
	}
	if doc.lines == nil {
		doc.lines = findLines(doc.chunk)
	}
	var texts []string
	for _, f := range faults {
		line := f.at
		if line == 0 {
			line = doc.lines.of(doc.prefix+f.path, f.nth)
		}
		if problem.Line == 0 {
			problem.Line = line
		}
		f.text = shortened(spelledTruth(f.text, lineAt(doc.chunk.data, line-doc.chunk.line+1)))
		if f.line && line > 0 {
			f.text += fmt.Sprintf(" (line %d)", line)
		}
		if len(texts) == maxFaults {
			break
		}
		texts = append(texts, f.text)
	}
	if problem.Line == 0 {
		problem.Line = doc.chunk.line
	}
	problem.Message = p.file + ": " + doc.item() + subject(reason, &doc.header) + listing(texts, len(faults)-len(texts))
	p.problems = append(p.problems, problem)
}

// item names the place in a List of an object that has no name.
func (doc *document) item() string {
	if doc.prefix == "" || doc.header.Metadata.Name != "" {
		return ""
	}
	return strings.TrimSuffix(doc.prefix, ".") + ": "
}

// subject names the object as the API server does: Pod "web" is invalid.
func subject(reason string, h *header) string {
	switch {
	case h.Metadata.Name == "" || h.Kind == "" || reason == ReasonKind:
		return ""
	case reason == ReasonUnsupported:
		return fmt.Sprintf("%s %q is refused: ", h.Kind, h.Metadata.Name)
	default:
		return fmt.Sprintf("%s %q is invalid: ", h.Kind, h.Metadata.Name)
	}
}

func listing(texts []string, more int) string {
	list := strings.Join(texts, ", ")
	if more > 0 {
		list += fmt.Sprintf(", and %d more", more)
	}
	if len(texts) > 1 {
		return "[" + list + "]"
	}
	return list
}
