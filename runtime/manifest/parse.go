package manifest

import (
	"cmp"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kjson "sigs.k8s.io/json"

	"podd/internal/objectmeta"
	"podd/runtime/manifest/annotation"
	"podd/runtime/manifest/decode"
	"podd/runtime/manifest/defaults"
	"podd/runtime/manifest/fields"
	"podd/runtime/manifest/kinds"
	"podd/runtime/manifest/validate"
)

// Parse decodes, defaults and validates every document of a manifest file, for whatever board it is. It is pure: path
// only goes into the results and the UIDs. Since is left zero.
func Parse(path string, data []byte) ([]Object, []Problem) { return ParseFor(path, data, Board{}) }

// Board is what a board makes of documents that not all boards take.
type Board struct {
	// Fits says whether a document whose annotation podd.dev/node has this value is for this board; nil: all are.
	Fits func(expression string) bool
	// RefuseUnknown: kinds that podd does not act on are refused, rather than stored.
	RefuseUnknown bool
}

// ParseFor is Parse for one board.
func ParseFor(path string, data []byte, b Board) ([]Object, []Problem) {
	p := parser{file: path, fits: b.Fits, refuseUnknown: b.RefuseUnknown}
	for _, c := range decode.Split(data) {
		p.chunk(c)
	}
	if p.docs == 0 {
		p.problems = append(p.problems, Problem{
			File: path, Reason: ReasonEmpty,
			Message: path + ": the file holds no manifest; write a Pod into it or remove it",
		})
	}
	return p.objects, p.problems
}

// parser collects the results of one file.
type parser struct {
	file string
	fits func(expression string) bool // see Board
	// refuseUnknown: kinds that podd does not act on are refused.
	refuseUnknown bool

	docs     int
	objects  []Object
	places   map[string]int // in objects, by key
	problems []Problem
}

// document is one object of a file on its way to an Object.
type document struct {
	chunk  decode.Chunk
	data   []byte // as JSON
	prefix string // path of the object in its chunk: "" or "items[2]."
	header kinds.Header
	lines  *decode.Lines // made when the first problem needs it
}

func (p *parser) chunk(c decode.Chunk) {
	doc := document{chunk: c, data: c.Data}
	if !c.JSON {
		var err error
		if doc.data, err = decode.YAMLToJSON(c.Data); err != nil {
			p.refuse(&doc, ReasonInvalid, []decode.Fault{decode.SyntaxFault(err, c, p.file)})
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
	if fault := headFault(doc.data, &doc.header); fault != nil {
		p.refuse(doc, ReasonInvalid, []decode.Fault{*fault})
		return
	}
	doc.header.Near = kinds.NearKey(doc.data, &doc.header)
	if text := kinds.Fault(&doc.header); text != "" {
		// One that has no name is told from others by its line.
		p.refuse(doc, ReasonKind, []decode.Fault{{Text: text, Path: cmp.Or(doc.header.Near, "kind"), Line: doc.header.Metadata.Name == "" && p.docs > 0}})
		return
	}
	rules := kinds.Of(doc.header.Kind)
	switch {
	case rules != nil && rules.APIVersion == doc.header.APIVersion:
		p.other(doc, rules)
	case !kinds.IsStored(&doc.header):
		p.pod(doc)
	case p.refuseUnknown:
		p.refuse(doc, ReasonKind, []decode.Fault{{Text: kinds.NotRun(&doc.header), Path: "kind"}})
	default:
		p.store(doc)
	}
}

// pod takes a Pod.
func (p *parser) pod(doc *document) {
	pod := &corev1.Pod{}
	if faults := decode.Strict(doc.data, pod); len(faults) > 0 {
		p.refuse(doc, ReasonInvalid, faults)
		return
	}
	defaults.SetPod(pod)
	errs := validate.Pod(pod)
	faults := decode.Faults(decode.BlameWritten(errs, doc.data))
	reason := ReasonInvalid
	switch {
	case len(faults) == 0:
		reason = ReasonUnsupported
	case validate.OnlyImageNames(errs):
		reason = ReasonImageName
	}
	if faults = append(faults, decode.Faults(decode.BlameWritten(fields.CheckPod(pod), doc.data))...); len(faults) > 0 {
		p.refuse(doc, reason, faults)
		return
	}
	strip(pod)
	hash := hashOf(pod)
	pod.UID = uidOf(p.file, pod, hash)
	p.accept(FromPod(Pod{Object: pod, File: p.file, Doc: p.docs, Hash: hash}))
}

// accept takes an object that is for this board and whose name is free.
func (p *parser) accept(o Object) {
	expression := o.Value.GetAnnotations()[annotation.NodeKey]
	if expression != "" && p.fits != nil && !p.fits(expression) {
		return
	}
	key := o.Key()
	at, taken := p.places[key]
	if taken && (p.fits != nil || p.objects[at].Value.GetAnnotations()[annotation.NodeKey] == expression) {
		p.problems = append(p.problems, DuplicateOf(&o, &p.objects[at]))
		return
	}
	if !taken {
		if p.places == nil {
			p.places = map[string]int{}
		}
		p.places[key] = len(p.objects)
	}
	p.objects = append(p.objects, o)
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
	if faults := decode.Strict(doc.data, &list); len(faults) > 0 {
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
func (p *parser) refuse(doc *document, reason string, faults []decode.Fault) {
	problem := Problem{
		File: p.file, Doc: p.docs, Reason: reason,
		Namespace: doc.header.Metadata.Namespace, Name: doc.header.Metadata.Name,
		Other: reason == ReasonKind && kinds.IsOther(doc.header.Kind),
	}
	rules := kinds.Of(doc.header.Kind)
	if rules != nil || doc.header.Kind == kinds.KindPod {
		problem.Kind = doc.header.Kind
	}
	switch {
	case rules != nil && !rules.Namespaced:
		problem.Namespace = ""
	case problem.Namespace == "" && problem.Name != "":
		problem.Namespace = metav1.NamespaceDefault
	}
	if doc.lines == nil {
		doc.lines = decode.FindLines(doc.chunk)
	}
	var texts []string
	for _, f := range faults {
		line := f.At
		if line == 0 {
			line = doc.lines.Of(doc.prefix+f.Path, f.Nth)
		}
		if line == 0 && f.Line && doc.prefix == "" {
			line = doc.chunk.Line
		}
		if problem.Line == 0 {
			problem.Line = line
		}
		f.Text = shortened(decode.ExplainValue(f.Text, decode.LineAt(doc.chunk.Data, line-doc.chunk.Line+1)))
		if f.Line && line > 0 {
			f.Text += fmt.Sprintf(" (line %d)", line)
		}
		if len(texts) == maxFaults {
			break
		}
		texts = append(texts, f.Text)
	}
	if problem.Line == 0 {
		problem.Line = doc.chunk.Line
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
func subject(reason string, h *kinds.Header) string {
	switch {
	case h.Metadata.Name == "":
		return ""
	case reason == ReasonKind && h.Kind == "":
		return fmt.Sprintf("object %q: ", h.Metadata.Name)
	case reason == ReasonKind:
		return fmt.Sprintf("%s %q: ", h.Kind, h.Metadata.Name)
	case h.Kind == "":
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

// store takes a document of a kind that podd does not act on. Only its metadata is looked at.
func (p *parser) store(doc *document) {
	value := &kinds.Stored{}
	faults := decode.Faults(decode.TypeErrors(doc.data, &kinds.StoredHead{}))
	if len(faults) == 0 {
		faults = decode.Strict(doc.data, value)
	}
	if len(faults) > 0 {
		p.refuse(doc, ReasonInvalid, faults)
		return
	}
	group, _ := kinds.GroupOf(doc.header.APIVersion)
	known := kinds.StoredKindOf(group, doc.header.Kind)
	// Of a kind of others nobody knows here whether it has namespaces: who writes one has them.
	k := &kinds.Rules{
		APIVersion: doc.header.APIVersion, Kind: kinds.StoredName(group, doc.header.Kind), Name: kinds.PathSegment,
		Namespaced: known == nil && value.Namespace != "" || known != nil && !known.Cluster,
	}
	switch {
	case !k.Namespaced:
		value.Namespace = ""
	case value.Namespace == "":
		value.Namespace = metav1.NamespaceDefault
	}
	if errs := k.ValidateMeta(value); len(errs) > 0 {
		p.refuse(doc, ReasonInvalid, decode.Faults(errs))
		return
	}
	kinds.StripMeta(value)
	delete(value.Content, "status")
	hash := hashOf(value)
	value.UID = objectUID(k.Kind, value.Namespace, value.Name)
	p.accept(Object{
		Kind: k.Kind, Namespace: value.Namespace, Name: value.Name, UID: value.UID,
		File: p.file, Doc: p.docs, Hash: hash, Value: value,
	})
}

// other takes an object that is not a Pod.
func (p *parser) other(doc *document, k *kinds.Rules) {
	value := k.Blank()
	if faults := decode.Strict(doc.data, value); len(faults) > 0 {
		p.refuse(doc, ReasonInvalid, faults)
		return
	}
	switch {
	case !k.Namespaced:
		objectmeta.Of(value).Namespace = "" // as the API server does
	case value.GetNamespace() == "":
		objectmeta.Of(value).Namespace = metav1.NamespaceDefault
	}
	errs := k.ValidateMeta(value)
	kinds.StripMeta(value)
	if k.Prepare != nil {
		k.Prepare(value)
	}
	errs = append(errs, k.Validate(value)...)
	reason := ReasonInvalid
	if len(errs) == 0 {
		reason = ReasonUnsupported
	}
	if k.Refused != nil {
		errs = append(errs, k.Refused(value)...)
	}
	if len(errs) > 0 {
		p.refuse(doc, reason, decode.Faults(decode.BlameWritten(errs, doc.data)))
		return
	}
	hash := hashOf(value)
	objectmeta.Of(value).UID = objectUID(k.Kind, value.GetNamespace(), value.GetName())
	p.accept(Object{
		Kind: k.Kind, Namespace: value.GetNamespace(), Name: value.GetName(), UID: value.GetUID(),
		File: p.file, Doc: p.docs, Hash: hash, Value: value,
	})
}

// Admit completes and checks a pod that a controller wants, as the API server does when a pod is created. The error says why
// there cannot be such a pod, though its template was good: its name, or what the controller has changed.
func Admit(pod *corev1.Pod) error {
	defaults.SetPod(pod)
	if errs := validate.Pod(pod); len(errs) > 0 {
		return fmt.Errorf("Pod %q is invalid: %w", pod.Name, errs.ToAggregate())
	}
	return nil
}

// HashOfPod identifies the content of a pod that has no file.
func HashOfPod(pod *corev1.Pod) string {
	bare := *pod
	bare.UID, bare.Status = "", corev1.PodStatus{}
	return hashOf(&bare)
}
