package manifest

import (
	"encoding/json"
	"fmt"

	kjson "sigs.k8s.io/json"

	"podd/runtime/manifest/decode"
	"podd/runtime/manifest/kinds"
)

// headFault says that apiVersion or kind is there and no string; nil: it is not so.
func headFault(data []byte, h *kinds.Header) *decode.Fault {
	var object map[string]any
	if h.Kind != "" && h.APIVersion != "" || kjson.UnmarshalCaseSensitivePreserveInts(data, &object) != nil {
		return nil
	}
	want := kinds.VersionOf(h.Kind)
	if v := object["kind"]; v != nil && !isString(v) {
		return &decode.Fault{Text: fmt.Sprintf("kind: Invalid value: %v: must be the name of a kind; write kind: Pod", jsonOf(v)), Path: "kind", Line: true}
	}
	if v := object["apiVersion"]; v != nil && !isString(v) {
		return &decode.Fault{Text: fmt.Sprintf("apiVersion: Invalid value: %v: must be a string; write apiVersion: %s", jsonOf(v), want), Path: "apiVersion", Line: true}
	}
	return nil
}

func isString(v any) bool {
	_, ok := v.(string)
	return ok
}

func jsonOf(v any) string {
	text, _ := json.Marshal(v) // it was JSON
	return string(text)
}
