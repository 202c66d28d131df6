package controller

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// What runs does not end because all that was known of its workload is lost: those that make it anew take it over, and the pods
// of a CronJob's Job, which nobody makes again, run to their end.
func TestDamagedTreesEndNothing(t *testing.T) {
	deployment := "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec:\n  replicas: 2\n  selector: {matchLabels: {a: app}}\n" +
		"  template: {metadata: {labels: {a: app}}, spec: {containers: [{name: m, image: app}]}}\n"
	stateful := strings.NewReplacer("Deployment", "StatefulSet", "app}", "db}", "replicas: 2", "serviceName: db\n  replicas: 1").Replace(deployment)
	for name, text := range map[string]string{"Deployment": deployment, "StatefulSet": stateful, "ReplicaSet": setText, "Job": jobText, "CronJob": cronText} {
		for damage, content := range map[string]string{"half": `{"objects":[`, "no values": "{}"} {
			t.Run(name+" "+damage, func(t *testing.T) {
				w := newWorld(t, text)
				w.later(time.Hour)
				w.disk.Wait()
				before := namesOf(w.alive())
				if len(before) == 0 {
					t.Fatal("no pod runs")
				}
				for _, dir := range []string{"run", "root"} {
					files, _ := filepath.Glob(filepath.Join(w.dir, dir, "*.json"))
					if len(files) != 1 {
						t.Fatalf("there are %v", files)
					}
					if err := os.WriteFile(files[0], []byte(content), 0o600); err != nil {
						t.Fatal(err)
					}
				}
				w.start()
				w.take()
				w.take()
				if after := namesOf(w.alive()); len(w.l.deleted) > 0 || fmt.Sprint(after) != fmt.Sprint(before) {
					t.Errorf("%v ran, %v run, ended: %v", before, after, w.l.deleted)
				}
				for _, p := range w.alive() {
					if owner := w.m.entries[controllerOf(p)]; (owner == nil) != (name == "CronJob") {
						t.Errorf("%s is of %v", p.Name, p.OwnerReferences)
					}
				}
				w.folder()
				if name != "CronJob" && len(w.l.deleted) != len(before) {
					t.Errorf("without the file end %v", w.l.deleted)
				}
			})
		}
	}
}

func namesOf(pods []*corev1.Pod) []string {
	var names []string
	for _, p := range pods {
		names = append(names, p.Name)
	}
	slices.Sort(names)
	return names
}

// A bit that has flipped, wherever it is, ends nothing, either: the file is not believed.
func TestFlippedBitsEndNothing(t *testing.T) {
	w := newWorld(t, setText)
	w.disk.Wait()
	before := namesOf(w.alive())
	whole, err := os.ReadFile(filepath.Join(w.dir, "run", "replicaset_default_web.json"))
	if err != nil {
		t.Fatal(err)
	}
	for at := 0; at < len(whole); at += 17 {
		damaged := slices.Clone(whole)
		damaged[at] ^= 1 << 5
		for _, dir := range []string{"run", "root"} {
			if err := os.WriteFile(filepath.Join(w.dir, dir, "replicaset_default_web.json"), damaged, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		w.start()
		w.take()
		if after := namesOf(w.alive()); len(w.l.deleted) > 0 || fmt.Sprint(after) != fmt.Sprint(before) {
			t.Fatalf("byte %d of %s: %v ran, %v run, ended: %v", at, damaged, before, after, w.l.deleted)
		}
		if aside, _ := filepath.Glob(filepath.Join(w.dir, "root", "*.damaged-*")); len(aside) == 0 {
			t.Fatalf("byte %d of %s: it is believed", at, damaged)
		}
	}
}

// A file of a podd that knew no sums is believed.
func TestTreeWithoutSum(t *testing.T) {
	w := newWorld(t, jobText)
	w.l.finish(w.alive()[0], corev1.PodSucceeded, w.now)
	w.take()
	w.disk.Wait()
	path := filepath.Join(w.dir, "root", "job_default_sums.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file sealedTree
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, file.Tree, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(w.dir, "run", "job_default_sums.json")); err != nil {
		t.Fatal(err)
	}
	w.start()
	w.take()
	if s := w.m.get(kindJob, "default", "sums").object.(*batchv1.Job).Status; s.Succeeded != 1 {
		t.Errorf("%+v", s)
	}
}
