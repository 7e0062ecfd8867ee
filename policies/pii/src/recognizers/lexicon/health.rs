//! Words about health in six languages: diseases, drugs, therapies, laboratory tests.
//!
//! Sources: the chapters of WHO's ICD-10 (<https://icd.who.int/browse10/2019/en>), WHO's international nonproprietary names for
//! drugs (<https://www.who.int/teams/health-product-and-policy-standards/inn>), LOINC's common laboratory tests
//! (<https://loinc.org/usage/obs/>).

use super::Lang;

/// The same in every language: names of drugs, tests and what Latin gave them all.
pub(super) const EVERYWHERE: &str = "\
metformin|insulin|semaglutide|liraglutide|empagliflozin|dapagliflozin|sitagliptin|glimepiride|ibuprofen|paracetamol|\
acetaminophen|aspirin|diclofenac|naproxen|tramadol|morphine|oxycodone|fentanyl|methadone|buprenorphine|naloxone|naltrexone|\
amoxicillin|penicillin|doxycycline|ciprofloxacin|azithromycin|clarithromycin|vancomycin|atorvastatin|simvastatin|\
rosuvastatin|amlodipine|ramipril|lisinopril|enalapril|losartan|valsartan|candesartan|bisoprolol|metoprolol|\
hydrochlorothiazide|furosemide|torasemide|spironolactone|warfarin|phenprocoumon|apixaban|rivaroxaban|dabigatran|\
clopidogrel|heparin|digoxin|amiodarone|omeprazole|pantoprazole|esomeprazole|levothyroxine|prednisolone|prednisone|\
dexamethasone|hydrocortisone|salbutamol|albuterol|budesonide|montelukast|tiotropium|sertraline|fluoxetine|citalopram|\
escitalopram|paroxetine|venlafaxine|duloxetine|mirtazapine|bupropion|amitriptyline|lithium carbonate|lamotrigine|\
levetiracetam|carbamazepine|valproate|pregabalin|gabapentin|clonazepam|lorazepam|diazepam|alprazolam|zolpidem|\
quetiapine|olanzapine|risperidone|aripiprazole|clozapine|haloperidol|methylphenidate|lisdexamfetamine|levodopa|donepezil|\
memantine|tamoxifen|letrozole|anastrozole|trastuzumab|rituximab|bevacizumab|pembrolizumab|nivolumab|imatinib|methotrexate|\
cyclophosphamide|cisplatin|carboplatin|paclitaxel|docetaxel|doxorubicin|adalimumab|infliximab|etanercept|azathioprine|\
tacrolimus|ciclosporin|hydroxychloroquine|sildenafil|tadalafil|finasteride|testosterone|levonorgestrel|mifepristone|\
misoprostol|tenofovir|emtricitabine|dolutegravir|efavirenz|ritonavir|oseltamivir|aciclovir|acyclovir|remdesivir|isoniazid|\
rifampicin|ivermectin|hba1c|tsh|creatinine|egfr|troponin|ldl cholesterol|hdl cholesterol|bilirubin|hepatitis|\
hepatitis b|hepatitis c|hiv|aids|hpv|sars cov 2|chlamydia|ebola|malaria|parkinson|alzheimer|crohn|copd|adhd|ptsd|\
mri scan|viagra|prozac|xanax|ritalin|ozempic|humira|zoloft|lexapro";

/// Words of a language.
pub(super) const WORDS: &[(Lang, &str)] = &[
    (
        Lang::En,
        "diabetes|type 1 diabetes|type 2 diabetes|asthma|cancer|breast cancer|lung cancer|prostate cancer|colon cancer|\
leukemia|leukaemia|lymphoma|melanoma|carcinoma|metastasis|chemotherapy|radiotherapy|dialysis|stroke|heart attack|\
heart failure|myocardial infarction|angina|hypertension|high blood pressure|arrhythmia|atrial fibrillation|pneumonia|\
bronchitis|emphysema|tuberculosis|epilepsy|seizure|migraine|multiple sclerosis|dementia|alzheimer's disease|\
parkinson's disease|depression|major depression|anxiety disorder|bipolar disorder|schizophrenia|psychosis|eating disorder|\
anorexia nervosa|bulimia|autism|panic attack|suicidal|suicide attempt|self harm|alcoholism|alcohol dependence|\
drug addiction|substance abuse|opioid addiction|rehab|psychotherapy|antidepressant|antipsychotic|anemia|anaemia|\
arthritis|rheumatoid arthritis|osteoporosis|lupus|psoriasis|eczema|fibromyalgia|chronic fatigue syndrome|obesity|\
hypothyroidism|hyperthyroidism|cirrhosis|kidney failure|renal failure|kidney stones|gallstones|gastritis|ulcerative colitis|\
celiac disease|irritable bowel syndrome|appendicitis|endometriosis|miscarriage|abortion|pregnancy|pregnant|infertility|\
ivf|hysterectomy|vasectomy|mastectomy|colonoscopy|biopsy|blood transfusion|organ transplant|hiv positive|syphilis|\
gonorrhea|gonorrhoea|genital herpes|sexually transmitted disease|covid|long covid|sepsis|cerebral palsy|down syndrome|\
cystic fibrosis|sickle cell disease|hemophilia|haemophilia|paralysis|paraplegic|amputation|wheelchair user|\
glaucoma|cataract|macular degeneration|hearing loss|sleep apnea|insomnia|concussion|fracture|blood glucose|\
white blood cell count|liver function test|prescription|discharge summary|prognosis",
    ),
    (
        Lang::De,
        "diabetes|zuckerkrankheit|asthma|krebs|brustkrebs|lungenkrebs|prostatakrebs|darmkrebs|leukämie|lymphom|melanom|karzinom|\
metastase|chemotherapie|strahlentherapie|dialyse|schlaganfall|herzinfarkt|herzinsuffizienz|bluthochdruck|hypertonie|\
herzrhythmusstörung|vorhofflimmern|lungenentzündung|bronchitis|tuberkulose|epilepsie|krampfanfall|migräne|\
multiple sklerose|demenz|depression|depressiv|angststörung|bipolare störung|schizophrenie|psychose|essstörung|magersucht|\
bulimie|autismus|panikattacke|suizidal|suizidversuch|selbstverletzung|alkoholsucht|alkoholabhängig|drogensucht|\
medikamentenabhängig|psychotherapie|antidepressivum|antidepressiva|anämie|arthritis|rheuma|osteoporose|schuppenflechte|\
neurodermitis|fibromyalgie|adipositas|schilddrüsenunterfunktion|leberzirrhose|niereninsuffizienz|nierenversagen|\
gallensteine|magengeschwür|zöliakie|reizdarm|blinddarmentzündung|endometriose|fehlgeburt|schwangerschaftsabbruch|\
abtreibung|schwanger|schwangerschaft|unfruchtbar|kaiserschnitt|darmspiegelung|biopsie|bluttransfusion|\
organtransplantation|hiv positiv|syphilis|tripper|geschlechtskrankheit|querschnittslähmung|querschnittsgelähmt|\
schwerbehindert|schwerbehinderung|behinderung|grauer star|hörverlust|schlafapnoe|schlaflosigkeit|gehirnerschütterung|\
knochenbruch|blutzucker|leberwerte|entlassungsbrief|arztbrief|krankschreibung|arbeitsunfähigkeit|reha|pflegegrad|prognose",
    ),
    (
        Lang::Fr,
        "diabète|diabétique|asthme|cancer|cancer du sein|cancer du poumon|leucémie|lymphome|mélanome|tumeur|métastase|\
chimiothérapie|radiothérapie|dialyse|accident vasculaire cérébral|infarctus|insuffisance cardiaque|hypertension|arythmie|\
pneumonie|bronchite|tuberculose|épilepsie|migraine|sclérose en plaques|démence|dépression|dépressif|dépressive|\
trouble anxieux|trouble bipolaire|bipolaire|schizophrénie|psychose|anorexie|boulimie|autisme|tentative de suicide|suicidaire|\
alcoolisme|toxicomanie|psychothérapie|antidépresseur|anémie|arthrite|polyarthrite rhumatoïde|ostéoporose|psoriasis|eczéma|\
fibromyalgie|obésité|hypothyroïdie|cirrhose|insuffisance rénale|calculs rénaux|maladie cœliaque|appendicite|endométriose|\
fausse couche|avortement|ivg|enceinte|grossesse|infertilité|césarienne|coloscopie|biopsie|transfusion|greffe|séropositif|\
séropositive|syphilis|infection sexuellement transmissible|paraplégique|handicap|handicapé|cataracte|surdité|\
apnée du sommeil|insomnie|commotion|fracture|glycémie|arrêt maladie|ordonnance|compte rendu d'hospitalisation|pronostic",
    ),
    (
        Lang::Es,
        "diabetes|diabético|diabética|asma|cáncer|cáncer de mama|cáncer de pulmón|leucemia|linfoma|melanoma|tumor|metástasis|\
quimioterapia|radioterapia|diálisis|derrame cerebral|ictus|infarto|insuficiencia cardíaca|hipertensión|arritmia|neumonía|\
bronquitis|tuberculosis|epilepsia|migraña|esclerosis múltiple|demencia|depresión|trastorno de ansiedad|trastorno bipolar|\
esquizofrenia|psicosis|anorexia|bulimia|autismo|intento de suicidio|suicida|alcoholismo|drogadicción|psicoterapia|\
antidepresivo|anemia|artritis|artritis reumatoide|osteoporosis|psoriasis|eccema|fibromialgia|obesidad|hipotiroidismo|\
cirrosis|insuficiencia renal|cálculos renales|celiaquía|celíaco|apendicitis|endometriosis|aborto|embarazada|embarazo|\
infertilidad|cesárea|colonoscopia|biopsia|transfusión|trasplante|vih positivo|vih|seropositivo|sífilis|\
enfermedad de transmisión sexual|parapléjico|discapacidad|cataratas|sordera|apnea del sueño|insomnio|conmoción cerebral|\
fractura|glucemia|baja médica|receta médica|informe de alta|pronóstico",
    ),
    (
        Lang::It,
        "diabete|diabetico|diabetica|asma|cancro|tumore|tumore al seno|leucemia|linfoma|melanoma|metastasi|chemioterapia|\
radioterapia|dialisi|ictus|infarto|scompenso cardiaco|ipertensione|aritmia|polmonite|bronchite|tubercolosi|epilessia|\
emicrania|sclerosi multipla|demenza|depressione|disturbo d'ansia|disturbo bipolare|schizofrenia|psicosi|anoressia|bulimia|\
autismo|tentato suicidio|alcolismo|tossicodipendenza|psicoterapia|antidepressivo|anemia|artrite|artrite reumatoide|\
osteoporosi|psoriasi|eczema|fibromialgia|obesità|ipotiroidismo|cirrosi|insufficienza renale|calcoli renali|celiachia|celiaco|\
appendicite|endometriosi|aborto|incinta|gravidanza|infertilità|taglio cesareo|colonscopia|biopsia|trasfusione|trapianto|\
sieropositivo|sieropositiva|sifilide|malattia sessualmente trasmissibile|paraplegico|disabilità|cataratta|sordità|\
apnea notturna|insonnia|commozione cerebrale|frattura|glicemia|congedo per malattia|lettera di dimissione|prognosi",
    ),
    (
        Lang::Nl,
        "suikerziekte|diabetes|astma|kanker|borstkanker|longkanker|leukemie|lymfoom|melanoom|uitzaaiing|chemotherapie|\
bestraling|dialyse|beroerte|hartaanval|hartinfarct|hartfalen|hoge bloeddruk|hypertensie|boezemfibrilleren|longontsteking|\
bronchitis|tuberculose|epilepsie|migraine|multiple sclerose|dementie|depressie|depressief|angststoornis|bipolaire stoornis|\
schizofrenie|psychose|eetstoornis|anorexia|boulimia|autisme|zelfmoordpoging|suïcidaal|alcoholverslaving|drugsverslaving|\
psychotherapie|antidepressivum|bloedarmoede|artritis|reuma|osteoporose|psoriasis|eczeem|fibromyalgie|obesitas|\
levercirrose|nierfalen|nierstenen|coeliakie|blindedarmontsteking|endometriose|miskraam|abortus|zwanger|zwangerschap|\
onvruchtbaar|keizersnede|colonoscopie|biopsie|bloedtransfusie|transplantatie|hiv positief|syfilis|\
geslachtsziekte|dwarslaesie|handicap|arbeidsongeschikt|staar|doofheid|slaapapneu|slapeloosheid|hersenschudding|botbreuk|\
bloedsuiker|ziekteverlof|ontslagbrief|prognose",
    ),
];
